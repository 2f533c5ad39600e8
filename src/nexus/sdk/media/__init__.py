"""Media on their way in and out of a service: data URLs, sound."""
