"""What is drawn next: prompts, evaluation sets, the plan of the worker, requests of pages."""
