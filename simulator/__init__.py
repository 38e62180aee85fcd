"""mtpsim: predict what an LLM serving engine delivers, without a GPU."""
