"""The bytes we hold, images, videos, models, known by their SHA-256 digest."""
