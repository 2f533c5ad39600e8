"""The parts of the llm service: requests in, constrained and free generation, OpenAI's answers out."""
