"""What the client does, written once: coroutines over a transport that blocks, or that waits in asyncio."""
