"""Another project's script runs as if it had been started directly."""

import sys

from bench.retrain.train import result_of, run_child


def test_the_script_is_the_main_program_and_sees_only_its_own_arguments(tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(__name__, sys.argv[1:])\n")
    ended = run_child([sys.executable, "-m", "bench.retrain.run_script", str(script), "--rank", "4"])
    assert "__main__ ['--rank', '4']" in ended.output
    assert set(result_of(ended)) <= {"device_peak_mb"}
