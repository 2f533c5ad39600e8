"""The parts of the moderation service: a judge of texts, a judge of images, and the answer in OpenAI's categories."""
