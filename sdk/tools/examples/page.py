from animus_sdk import Opening, WebUi, serve
from animus_sdk.http import HttpBridge, HttpConfig, Page


class StatusPage(WebUi[HttpConfig]):
    name, version = "status-page", "1.0.0"

    async def open(self, opening: Opening[HttpConfig]) -> str:
        page = Page(b"<!doctype html><title>Animus</title>", "text/html; charset=utf-8")
        self.bridge = HttpBridge(self.version, {"/": page})
        return f"http://{await self.bridge.open(opening)}"

    async def close(self) -> None:
        await self.bridge.close()


if __name__ == "__main__":
    serve(StatusPage)
