from animus_sdk import Plugin, method, serve, tool


class Tools(Plugin):
    name, version = "tools", "1.0.0"

    @method("words/count")
    async def count(self, text: str, least: int = 1) -> int:
        words = text.split()
        for number, _ in enumerate(words, start=1):
            await self.ctx.progress(number / len(words))
        return sum(len(word) >= least for word in words)

    @tool
    def shout(self, text: str) -> str:
        """The text in capitals."""
        return text.upper()


if __name__ == "__main__":
    serve(Tools)
