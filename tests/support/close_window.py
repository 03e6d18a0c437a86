"""What a window manager sends when somebody clicks the cross: WM_DELETE_WINDOW (ICCCM 4.2.8.1), by Xlib.

In: a display, a window's number. Out: one message. Never: a window destroyed behind its program's back.
"""

from __future__ import annotations

import ctypes
import ctypes.util

_CLIENT_MESSAGE = 33


class _ClientMessage(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 24),  # XEvent is a union of that size
    )


def ask_to_close(display_name: str, window: int) -> None:
    """Raises OSError without libX11 or the display."""
    xlib = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    xlib.XOpenDisplay.restype = ctypes.c_void_p
    xlib.XInternAtom.restype = ctypes.c_ulong
    display = xlib.XOpenDisplay(display_name.encode())
    if not display:
        raise OSError(f"no display {display_name}")
    try:
        protocols = xlib.XInternAtom(ctypes.c_void_p(display), b"WM_PROTOCOLS", 0)
        delete = xlib.XInternAtom(ctypes.c_void_p(display), b"WM_DELETE_WINDOW", 0)
        message = _ClientMessage(type=_CLIENT_MESSAGE, window=window, message_type=protocols, format=32)
        message.data[0] = delete
        xlib.XSendEvent(ctypes.c_void_p(display), ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
        xlib.XFlush(ctypes.c_void_p(display))
    finally:
        xlib.XCloseDisplay(ctypes.c_void_p(display))
