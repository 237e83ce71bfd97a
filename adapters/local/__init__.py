"""Models that run on this machine: worker processes with torch, one for each device, fed from one queue.

The run's own process never imports torch. `model.LocalModel` is what the engine asks; `pool` deals the questions out to
workers; `worker` is their inside, with `transformers_model` for architectures that transformers knows and `chat_model`
for models that bring a method ``chat`` of their own.
"""
