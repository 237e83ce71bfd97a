"""What is asked: the catalogue, sources, prompts and tables. Knows scoring, not adapters or engine."""
