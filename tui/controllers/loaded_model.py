"""The adapters of the loaded model, for controllers that cannot work without one."""

from core.adapters.registry import Adapters
from store.errors import TuteeError
from store.i18n import _
from tui.services import Services


def loaded_adapters(services: Services) -> Adapters:
    """Return the adapters of the loaded model.

    Raises:
        TuteeError: the model is still loading.
    """
    adapters = services.chat.adapters
    if adapters is None:
        raise TuteeError(_("The model is still loading."), _("Try again as soon as it is ready."))
    return adapters
