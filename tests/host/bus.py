# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls over D-Bus by libsystemd's sd-bus, which the service has anyway: nothing is rounded, and a call
can be left to run while others are made.

    bus = Bus(address)
    (status,) = bus.call("com.open_iscsi.WMI1", path, interface, member, "(tu)", (1 << 63, 2))

Values are Python's: an array is a list, one of dict entries a dict, a structure a tuple. A variant is
its value where it comes, and (signature, value) where it goes.
"""

import collections
import ctypes
import ctypes.util
import time

PATIENCE = 60  # seconds, for a slow machine under sanitizers

NUMBERS = {"y": ctypes.c_uint8, "b": ctypes.c_int, "n": ctypes.c_int16, "q": ctypes.c_uint16,
           "i": ctypes.c_int32, "u": ctypes.c_uint32, "x": ctypes.c_int64, "t": ctypes.c_uint64,
           "d": ctypes.c_double}
TEXTS = "sog"

Signal = collections.namedtuple("Signal", "path interface member body")

sd = ctypes.CDLL("libsystemd.so.0")
for name in "path", "interface", "member", "signature":
    getattr(sd, f"sd_bus_message_get_{name}").restype = ctypes.c_char_p


class ErrorText(ctypes.Structure):
    """sd_bus_error"""
    _fields_ = (("name", ctypes.c_char_p), ("message", ctypes.c_char_p), ("need_free", ctypes.c_int))


sd.sd_bus_message_get_error.restype = ctypes.POINTER(ErrorText)


class Error(Exception):
    """What a call was answered with in place of a reply."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name


def check(result):
    if result < 0:
        raise OSError(-result, f"sd-bus: error {-result}")
    return result


def text(value):
    return value.decode() if value is not None else None


def types(signature):
    """"a(tu)s" -> "a(tu)", "s"."""
    while signature:
        at = len(signature) - len(signature.lstrip("a"))
        depth = 0
        while True:
            depth += (signature[at] in "({") - (signature[at] in ")}")
            at += 1
            if depth == 0:
                break
        yield signature[:at]
        signature = signature[at:]


class Message:
    def __init__(self, pointer):
        self.pointer = pointer

    def __del__(self):
        sd.sd_bus_message_unref(self.pointer)

    def get(self, what):
        return text(getattr(sd, f"sd_bus_message_get_{what}")(self.pointer))

    # --- Writing

    def append(self, signature, values):
        for each, value in zip(types(signature), values, strict=True):
            self._append_one(each, value)

    def _append_one(self, signature, value):
        kind = signature[0]
        if kind in NUMBERS:
            data = ctypes.byref(NUMBERS[kind](value))
            check(sd.sd_bus_message_append_basic(self.pointer, ord(kind), data))
        elif kind in TEXTS:
            check(sd.sd_bus_message_append_basic(self.pointer, ord(kind), value.encode()))
        elif kind == "a":
            items = value.items() if isinstance(value, dict) else value
            self._append_container("a", signature[1:], ((signature[1:], each) for each in items))
        elif kind == "v":
            self._append_container("v", value[0], (value,))
        else:  # "(" or "{"
            inner = signature[1:-1]
            self._append_container({"(": "r", "{": "e"}[kind], inner,
                                   zip(types(inner), value, strict=True))

    def _append_container(self, kind, inner, members):
        check(sd.sd_bus_message_open_container(self.pointer, ord(kind), inner.encode()))
        for signature, value in members:
            self._append_one(signature, value)
        check(sd.sd_bus_message_close_container(self.pointer))

    # --- Reading

    def body(self):
        return tuple(self._rest())

    def _rest(self):
        kind, contents = ctypes.c_char(), ctypes.c_char_p()
        while check(sd.sd_bus_message_peek_type(self.pointer, ctypes.byref(kind),
                                                ctypes.byref(contents))):
            yield self._read_one(text(kind.value), contents.value)

    def _read_one(self, kind, contents):
        if kind in "arve":
            check(sd.sd_bus_message_enter_container(self.pointer, ord(kind), contents))
            members = list(self._rest())
            check(sd.sd_bus_message_exit_container(self.pointer))
            if kind == "a":
                return dict(members) if contents.startswith(b"{") else members
            return members[0] if kind == "v" else tuple(members)
        data = NUMBERS[kind]() if kind in NUMBERS else ctypes.c_char_p()
        check(sd.sd_bus_message_read_basic(self.pointer, ord(kind), ctypes.byref(data)))
        return bool(data.value) if kind == "b" else \
            text(data.value) if kind in TEXTS else data.value

    def raise_error(self):
        error = sd.sd_bus_message_get_error(self.pointer)
        if error:
            raise Error(text(error.contents.name), text(error.contents.message))


class Call:
    """One that may not have been answered yet."""

    def __init__(self, bus, cookie):
        self.bus, self.cookie = bus, cookie

    def done(self):
        self.bus.process()
        return self.cookie in self.bus.replies

    def result(self):
        """The reply's body; raises Error."""
        until = time.monotonic() + PATIENCE
        while not self.done():
            if time.monotonic() > until:
                raise TimeoutError(f"no answer within {PATIENCE} s")
            check(sd.sd_bus_wait(self.bus.pointer, ctypes.c_uint64(100000)))
        reply = self.bus.replies.pop(self.cookie)
        reply.raise_error()
        return reply.body()


class Bus:
    """A client's connection."""

    def __init__(self, address):
        self.pointer = ctypes.c_void_p()
        self.replies = {}
        self.signals = []
        check(sd.sd_bus_new(ctypes.byref(self.pointer)))
        check(sd.sd_bus_set_address(self.pointer, address.encode()))
        check(sd.sd_bus_set_bus_client(self.pointer, 1))
        check(sd.sd_bus_start(self.pointer))

    def close(self):
        sd.sd_bus_flush_close_unref(self.pointer)

    def begin(self, destination, path, interface, member, signature="", *arguments):
        """Sends a call: a Call."""
        pointer, cookie = ctypes.c_void_p(), ctypes.c_uint64()
        words = (destination, path, interface, member)
        check(sd.sd_bus_message_new_method_call(self.pointer, ctypes.byref(pointer),
                                                *(word.encode() for word in words)))
        message = Message(pointer)
        message.append(signature, arguments)
        check(sd.sd_bus_send(self.pointer, pointer, ctypes.byref(cookie)))
        check(sd.sd_bus_flush(self.pointer))
        return Call(self, cookie.value)

    def call(self, *words):
        return self.begin(*words).result()

    def listen(self, rule):
        """From now on, signals that a match rule describes are kept for news()."""
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                  "AddMatch", "s", f"type='signal',{rule}")

    def news(self):
        """The signals that have come."""
        self.process()
        return self.signals

    def process(self):
        """Takes what has come, without waiting."""
        pointer = ctypes.c_void_p()
        while check(sd.sd_bus_process(self.pointer, ctypes.byref(pointer))):
            if pointer:
                self._take(Message(ctypes.c_void_p(pointer.value)))

    def _take(self, message):
        cookie = ctypes.c_uint64()
        if sd.sd_bus_message_get_reply_cookie(message.pointer, ctypes.byref(cookie)) >= 0:
            self.replies[cookie.value] = message
        elif sd.sd_bus_message_is_signal(message.pointer, None, None):
            self.signals.append(Signal(*map(message.get, ("path", "interface", "member")),
                                       message.body()))
