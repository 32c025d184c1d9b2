from helpers.shop import shop  # noqa: F401 - a fixture
