"""The desktop application: Qt and nothing that thinks."""
