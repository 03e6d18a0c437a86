"""The system's own keystore, if this computer has a real one and the optional library is installed.

In: a provider's name, a key. Out: the same later, from the keystore. Never: a backend that keeps keys in plain text,
a question to the keystore before a person has chosen it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pui.domain.errors import HostError
from pui.domain.model_policy import SecretText

SERVICE = "pui"
REAL_BACKENDS = ("SecretService", "kwallet", "libsecret", "macOS", "Windows")
"""Modules of keyring.backends; threats.md section 6: never an alternative that writes plain text."""


class OsKeystore:
    """`backend` is a keyring.backend.KeyringBackend; None: the best real one of this computer, looked up once."""

    def __init__(self, backend: Any = None) -> None:
        self._backend = backend
        self._is_known = backend is not None

    def is_there(self) -> bool:
        return self._found() is not None

    @property
    def was_found(self) -> bool:
        """Whether one is known without a look: the library's import alone takes a twentieth of a second."""
        return self._backend is not None

    def read(self, provider: str) -> SecretText:
        """Empty when it has none. Raises HostError host.permission: locked, or the person said no."""
        with _mapped("reading a key from the keystore"):
            return SecretText(self._sure().get_password(SERVICE, provider) or "")

    def write(self, provider: str, key: SecretText) -> None:
        """Raises HostError host.permission."""
        with _mapped("putting a key into the keystore"):
            self._sure().set_password(SERVICE, provider, key.reveal())

    def forget(self, provider: str) -> None:
        """Absence is no error. Raises HostError host.permission."""
        with _mapped("removing a key from the keystore"):
            if self._sure().get_password(SERVICE, provider) is not None:
                self._sure().delete_password(SERVICE, provider)

    def _sure(self) -> Any:
        backend = self._found()
        if backend is None:
            raise HostError("host.permission", "this computer has no keystore", hint="Keep the key in memory.")
        return backend

    def _found(self) -> Any:
        if not self._is_known:
            self._backend, self._is_known = _best_backend(), True
        return self._backend


def _best_backend() -> Any:
    try:
        from keyring.backend import get_all_keyring
    except ImportError:
        return None
    real = [one for one in get_all_keyring() if type(one).__module__.rpartition(".")[2] in REAL_BACKENDS]
    return max(real, key=lambda one: one.priority, default=None)


@contextmanager
def _mapped(doing: str) -> Iterator[None]:
    """A backend raises what its system raises; none of it is shown, as it may quote the key."""
    try:
        yield
    except HostError:
        raise
    except Exception as error:
        raise HostError("host.permission", f"{doing} failed: {type(error).__name__}") from None
