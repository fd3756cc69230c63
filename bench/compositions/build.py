"""Builds the compositions' model, a genuine SDXL in miniature, as the built-in one is built.

One process:   python -m bench.compositions.build bench/compositions/model
Two processes: torchrun --standalone --nproc-per-node 2 -m bench.compositions.build bench/compositions/model
"""

import bench.compositions
from trainer.builtin.build import Course, Plan, from_command_line

PLAN = Plan(
    vae_steps=1000,
    first=Course(24_000, 0.45, 7000),
    second=Course(20_000, 0.35, 4000),
    guidance=2.5,
    retouch_steps=400,
)

if __name__ == "__main__":
    from_command_line(PLAN, bench.compositions)
