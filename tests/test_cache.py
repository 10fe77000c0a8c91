"""The cache of fetched bytes."""

from stages.sources import cache


def test_the_cache_is_in_the_users_folder_unless_set_elsewhere(monkeypatch, tmp_path):
    assert cache.folder() == tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", "")
    assert cache.folder().name == "image-classification-pipeline"
