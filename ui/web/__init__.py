"""What every page stands on: process, signatures, pictures, guard, metrics, pieces of HTML."""
