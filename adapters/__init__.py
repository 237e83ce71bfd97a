"""How a model is asked: OpenAI-style chat over aiohttp. Knows messages, records and errors only."""
