"""A person who has a keyboard and nothing else: stops are reached by Tab, and everything is done where it stops."""

from __future__ import annotations

from playwright.sync_api import Page, expect

_MOST_STOPS = 150
_AT = "wanted => document.activeElement.matches(wanted)"


class Keyboard:
    """What is done on a page, by what CSS says of the element that has the focus."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, selector: str) -> None:
        """On by Tab until it is there."""
        for _ in range(_MOST_STOPS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(_AT, selector):
                return
        raise AssertionError(f"the keyboard does not reach {selector}")

    def type(self, selector: str, text: str) -> None:
        """Type in place of what is there: Tab into a field selects it."""
        self.to(selector)
        self.page.keyboard.type(text)

    def press(self, selector: str) -> None:
        """Press a button, or follow a link."""
        self.to(selector)
        self.page.keyboard.press("Enter")

    def follow(self, selector: str) -> None:
        """Press what leads to another page, and see it there."""
        with self.page.expect_navigation():
            self.press(selector)

    def tick(self, selector: str) -> None:
        """Tick a box that is not."""
        self.to(selector)
        self.page.keyboard.press("Space")
        expect(self.page.locator(selector)).to_be_checked()

    def pick(self, selector: str, value: str) -> None:
        """A line of a menu, by the arrow keys."""
        self.to(selector)
        menu = self.page.locator(selector)
        for _ in range(menu.locator("option").count()):
            if menu.input_value() == value:
                return
            self.page.keyboard.press("ArrowDown")
        expect(menu).to_have_value(value)

    def choose(self, name: str, value: str) -> None:
        """One of several buttons of a name, by the arrow keys."""
        self.to(f"[name={name}]")
        wanted = self.page.locator(f"[name={name}][value='{value}']")
        self.page.keyboard.press("Space")
        for _ in range(self.page.locator(f"[name={name}]").count()):
            if wanted.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        expect(wanted).to_be_checked()
