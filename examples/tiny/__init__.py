"""The parts of `examples/train_tiny.py`: a small world, a tokenizer, a transformer, a trainer."""
