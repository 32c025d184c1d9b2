import base64
import hashlib
import re

import pytest

from serprep.browse.page import FILES, INTEGRITY, answer, file, index, policy


@pytest.mark.parametrize("name", INTEGRITY)
def test_foreign_files_are_what_the_page_says(name):
    digest = base64.b64encode(hashlib.sha384(file(name)).digest()).decode()
    assert INTEGRITY[name] == f"sha384-{digest}"
    assert f'"{name}" integrity="sha384-{digest}"' in index("n").decode()


def test_the_page_names_no_other_place_and_holds_no_script_or_style_of_its_own():
    html = index("n").decode()
    assert set(re.findall(r'(?:src|href)="([^"]*)"', html)) <= {*FILES, "data:,"}
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", html)
    assert "NONCE" not in html and 'data-nonce="n"' in html


def test_our_scripts_put_text_in_as_text():
    code = (file("browse.js") + file("drawing.js")).decode()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|https?://", code)


def test_the_policy_allows_own_files_only():
    assert policy("n").startswith("default-src 'none'; script-src 'self'; style-src 'self' 'nonce-n';")
    assert "unsafe" not in policy("n") and "connect-src" not in policy("n")
    assert f'content="{policy("n")}"' in index("n", meta=policy("n")).decode()


def test_data_are_ascii_whatever_they_say():
    assert answer("a", {"x": "\u2028é</script>"}) == b'serprep.take("a",{"x":"\\u2028\\u00e9</script>"});\n'
    with pytest.raises(ValueError, match="Out of range float"):
        answer("a", float("nan"))
