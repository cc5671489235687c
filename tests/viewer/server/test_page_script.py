"""The worklist's script in a real browser: a signature takes two clicks, of which the second is no part of a double click."""

import shutil
from urllib.parse import urlsplit

import pytest

from tests.viewer.server.web_app import Asked, add_study, made_server, signed_in
from viewer.server.store import open_store

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (Debian: apt install chromium)")


def test_a_double_click_does_not_sign(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'server.sqlite'}")
    add_study(store, state="done", case_path="cases/1")
    anna, posted = signed_in(made_server(tmp_path, tmp_path / "none", Asked(), store), "anna"), []

    def answer(route):
        asked, path = route.request, urlsplit(route.request.url)
        posted.extend([path.path] if asked.method == "POST" else [])
        given = anna.request(asked.method, f"{path.path}?{path.query}")
        route.fulfill(status=given.status_code, body=given.content, content_type=given.headers["content-type"])

    with sync_api.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto("http://testserver/")
        page.locator('[data-do="sign"]').dblclick()
        assert page.locator('[data-do="sign"]').text_content() == "Yes, sign" and posted == []
        page.wait_for_timeout(700)  # longer than a double click
        page.locator('[data-do="sign"]').click()
        page.wait_for_function("!document.querySelector('#problem').hidden")
        assert posted == ["/api/studies/1/sign"]
        browser.close()
    store.close()
