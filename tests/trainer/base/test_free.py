import resource

import torch

from trainer.base.free import Memory, group_limits, memory_of

GB = 2**30


def write(folder, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")


def test_a_cgroup_of_version_1_leaves_its_limit_less_what_is_used_without_the_pages_of_files(tmp_path):
    own = tmp_path / "own"
    own.write_text("4:memory:/a/b\n3:cpuset:/\n")
    write(
        tmp_path / "memory/a/b",
        memory__limit_in_bytes=8 * GB,
        memory__usage_in_bytes=5 * GB,
        memory__stat=f"cache 1\ntotal_inactive_file {GB}\ntotal_active_file {GB}",
    )
    write(tmp_path / "memory/a", memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=5 * GB)
    assert list(group_limits(own, tmp_path)) == [Memory(5 * GB, 8 * GB)]


def test_a_cgroup_of_version_2_counts_with_every_group_above_it(tmp_path):
    own = tmp_path / "own"
    own.write_text("0::/a/b\n")
    write(tmp_path / "a/b", memory__max="max", memory__current=GB)
    write(tmp_path / "a", memory__max=4 * GB, memory__current=3 * GB, memory__stat=f"inactive_file {GB}\nactive_file 0")
    assert list(group_limits(own, tmp_path)) == [Memory(2 * GB, 4 * GB)]


def test_where_no_cgroup_limits_there_is_none(tmp_path):
    assert list(group_limits(tmp_path / "nothing", tmp_path)) == []


def test_a_limit_of_this_process_counts_too(exit_code_of):
    def limited() -> None:
        torch.zeros(1)
        before = memory_of(torch.device("cpu"))
        resource.setrlimit(resource.RLIMIT_AS, (before.whole // 2, resource.RLIM_INFINITY))
        after = memory_of(torch.device("cpu"))
        assert after.whole == before.whole // 2
        assert 0 <= after.free < after.whole

    assert exit_code_of(limited) == 0
