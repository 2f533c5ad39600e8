"""What engines for chat and completions share: OpenAI's answers made of steps, and parts of the requests read."""
