"""The app: a thin Textual app and the parts it owns."""

from tui.app.tutee_app import TuteeApp

__all__ = ["TuteeApp"]
