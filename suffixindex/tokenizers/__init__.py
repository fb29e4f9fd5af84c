"""What turns text into ids and back: bytes, words, Hugging Face tokenizers; and the encoders that builds drive."""
