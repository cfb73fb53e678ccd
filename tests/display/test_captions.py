"""What stands under tables and figures."""

from sgad.display.captions import recipe_note


def test_variants_of_one_note_are_named_by_what_they_share() -> None:
    notes = {
        "stable+max_steps=6": "stable recipe, max_steps=6",
        "stable+max_steps=3": "stable recipe, max_steps=3",
        "stable+tuned+max_steps=6": "stable recipe, faster, max_steps=6",
        "stable+tuned+max_steps=3": "stable recipe, faster, max_steps=3",
        "paper": "the release's recipe",
    }
    captions = {"note": "Short", "variants": notes, "datasets": {}}
    assert recipe_note(captions, list(notes)) == (  # type: ignore[arg-type]
        "Short. Variant stable and what is joined to it by +: stable recipe. Variant stable+tuned and what is joined to it by"
        " +: stable recipe, faster. Variant paper: the release's recipe."
    )
