"""Other evaluators beside eyechart: how each is installed, given the questions, started and continued."""
