"""An OpenAI-style server for tests and rehearsals: scripted or computed answers, latency and faults on demand."""
