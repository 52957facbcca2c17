"""Public benchmarks for vision-language models: loaders, the scorers of harnesses, and a strict one."""
