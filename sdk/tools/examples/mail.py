from animus_sdk import Trigger, TriggerBackend, TriggerEvent, Unavailable, WireModel, serve


class MailConfig(WireModel):
    folder: str


class Mail(TriggerBackend[MailConfig]):
    name, version = "mail", "1.0.0"
    trigger_kinds = ("mail",)
    supports_dedup = True

    def start(self, project):
        self.waiting = {"m-1": "inbox"}  # by the mail's own id, so that the same mail always is the same event

    async def watch(self, triggers: list[Trigger[MailConfig]], cursor):
        for trigger in triggers:
            if trigger.config.folder == "closed":
                raise Unavailable("the mail server does not answer")
            for mail, folder in self.waiting.items():
                if folder == trigger.config.folder:
                    yield TriggerEvent(event_id=mail, trigger_id=trigger.id, payload={"folder": folder})

    def ack(self, event_id: str, status: str | None) -> None:
        self.waiting.pop(event_id, None)  # the host has it for good


if __name__ == "__main__":
    serve(Mail)
