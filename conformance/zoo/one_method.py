"""What mutants have in common that break one method, or one sort of notification: say which and what comes instead.

Below it lies `mutation.py`. Standard library only, as there.
"""

from __future__ import annotations

from mutation import Any, Message, Mutation, Sent

__all__ = [
    "AnsweredOtherwise",
    "AskedOtherwise",
    "CancelledOtherwise",
    "ExcusedOtherwise",
    "NotifiedOtherwise",
    "OneMethod",
    "Refusing",
    "Unserved",
]


class OneMethod(Mutation):
    """Concerns the messages of `method` alone."""

    method: str

    def concerns(self, message: Message) -> bool:
        """Whether this request or notification is meant."""
        return bool(message["method"] == self.method)


class AnsweredOtherwise(OneMethod):
    """Changes the results of one method."""

    def answers(self, request: Message, reply: Message) -> Sent:
        if self.concerns(request) and "result" in reply:
            reply["result"] = self.changed(request.get("params"), reply["result"])
        return reply

    def changed(self, params: Any, result: Any) -> Any:
        """The result that comes in place of `result`."""
        raise NotImplementedError


class ExcusedOtherwise(OneMethod):
    """Refuses one method with `code` wherever it is refused."""

    code: int
    message = "refused"

    def answers(self, request: Message, reply: Message) -> Sent:
        is_refused = self.concerns(request) and "error" in reply
        return self.refusal(request, self.code, self.message) if is_refused else reply


class AskedOtherwise(OneMethod):
    """Changes the params of one method before anybody sees them, as long as they are an object."""

    def asked(self, request: Message) -> Message | None:
        if self.concerns(request) and isinstance(request.get("params"), dict):
            self.change(request["params"])
        return request

    def change(self, params: Any) -> None:
        """Change them in place."""
        raise NotImplementedError


class Refusing(OneMethod):
    """Refuses requests of one method that are like this, and asks nobody."""

    code = -32603
    message = "refused"

    def asked(self, request: Message) -> Message | None:
        params = request.get("params")
        if self.concerns(request) and isinstance(params, dict) and self.is_refused(params):
            self.say(self.refusal(request, self.code, self.message))
            return None
        return request

    def is_refused(self, params: Message) -> bool:
        """Whether a request with these params is."""
        raise NotImplementedError


class Unserved(OneMethod):
    """Neither advertises nor serves one method."""

    code = -32601

    def manifest(self, manifest: Message) -> Message:
        manifest["capabilities"].remove(self.method)
        return manifest

    def asked(self, request: Message) -> Message | None:
        if self.concerns(request):
            self.say(self.refusal(request, self.code))
            return None
        return request

    def answers(self, request: Message, reply: Message) -> Sent:
        if request["method"] == "initialize" and "result" in reply:
            reply["result"]["capabilities"]["methods"].remove(self.method)
        return reply


class CancelledOtherwise(OneMethod):
    """Does something else when a request of one method is cancelled."""

    def __init__(self) -> None:
        self.ids: list[Any] = []
        """The requests of the method so far."""

    def asked(self, request: Message) -> Message | None:
        if self.concerns(request):
            self.ids.append(request["id"])
        return request

    def notified(self, notification: Message) -> Message | None:
        params = notification.get("params")
        if notification["method"] == "$/cancelRequest" and isinstance(params, dict) and params.get("id") in self.ids:
            return self.cancelled(notification)
        return notification

    def cancelled(self, cancellation: Message) -> Message | None:
        """What the plugin behind hears in place of the cancellation; None when it hears nothing."""
        raise NotImplementedError


class NotifiedOtherwise(OneMethod):
    """Changes the notifications of one method."""

    def notifies(self, notification: Message) -> Sent:
        if self.concerns(notification):
            notification["params"] = self.changed(notification["params"])
        return notification

    def changed(self, params: Any) -> Any:
        """The params that are told in place of `params`."""
        raise NotImplementedError
