"""Live ECGs under an account: sessions, their live page, recordings and readings."""
