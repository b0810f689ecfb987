"""The desktop application: Qt and nothing that thinks."""

VERSION = "0.1.0"
