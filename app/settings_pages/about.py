"""Settings › About: what this is, and what it is made of."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit

from app.card import label
from app.form import button, field, hint
from app.settings_pages.page import Form, Page


class AboutPage(Page):
    def __init__(self, form: Form) -> None:
        super().__init__(form)
        services = form.services
        self.head(self.tr("About"), self.tr("A conversation with a living picture. The picture is AI-generated."))
        grid = QGridLayout()
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(6)
        for row, (name, version) in enumerate(services.versions):
            figure = label(version)
            figure.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, on=False)
            figure.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(label(name, "supporting"), row, 0)
            grid.addWidget(figure, row, 1)
        grid.setColumnStretch(1, 1)
        self.add(grid)
        models = QLineEdit(str(services.models_folder))
        models.setReadOnly(True)
        open_models = button(self.tr("Open"), pressed=lambda: services.open_folder(services.models_folder))
        open_models.setAccessibleName(self.tr("Open the folder of models"))
        self.add(field(self.tr("Models"), models, open_models))
        self.add(
            hint(
                self.tr(
                    "LiveTalk is free software under the Apache License 2.0. The people in the pictures that come with "
                    "it do not exist."
                )
            )
        )
        row = QHBoxLayout()
        row.addStretch(1)
        self.add(row)
        self.finish()
