"""Drawing faster: guidance only at some noise levels."""
