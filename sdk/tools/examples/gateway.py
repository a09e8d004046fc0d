import asyncio

from animus_sdk import InvalidParams, Opening, TransportBackend, WireModel, serve


class GatewayConfig(WireModel):
    greeting: str = "hello"


class Gateway(TransportBackend[GatewayConfig]):
    name, version = "gateway", "1.0.0"
    transport_kinds = ("tcp",)

    async def open(self, opening: Opening[GatewayConfig]) -> str:
        host, _, port = (opening.bind_addr or "127.0.0.1:0").rpartition(":")
        if not port.isdecimal():
            raise InvalidParams(f"bind_addr {opening.bind_addr!r}: write it as 127.0.0.1:8080")
        self.greeting = opening.config.greeting
        self.server = await asyncio.start_server(self.greet, host, int(port))
        host, port = self.server.sockets[0].getsockname()
        return f"{host}:{port}"

    async def close(self) -> None:
        if hasattr(self, "server"):  # it comes also after an `open` that came to nothing
            self.server.close()
            await self.server.wait_closed()

    async def greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting.encode())
        writer.close()


if __name__ == "__main__":
    serve(Gateway)
