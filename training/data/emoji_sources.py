"""The packages that the emoji pictures come from, pinned, with their licences."""

from dataclasses import dataclass

from training.data.npm_packages import Package


@dataclass(frozen=True)
class Pack:
    """The pictures of one drawing style."""

    style: str
    package: Package
    title: str
    authors: str
    source: str
    licence: str
    is_raster: bool = False  # pictures instead of an iconify set of SVG icons
    has_sequences: bool = True  # False: match icon names, the pack's own code points are not used


METADATA = Package(
    "emojibase-data",
    "17.0.0",
    "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
)

PACKS = (  # this order is the build order and the order of the style labels
    Pack(
        style="noto",
        package=Package(
            "@iconify-json/noto",
            "1.2.9",
            "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        ),
        title="Noto Emoji",
        authors="Google Inc.",
        source="https://github.com/googlefonts/noto-emoji",
        licence="Apache-2.0",
    ),
    Pack(
        style="noto-v1",
        package=Package(
            "@iconify-json/noto-v1",
            "1.2.5",
            "2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37",
        ),
        title="Noto Emoji (v1)",
        authors="Google Inc.",
        source="https://github.com/googlefonts/noto-emoji",
        licence="Apache-2.0",
        has_sequences=False,
    ),
    Pack(
        style="twemoji",
        package=Package(
            "@iconify-json/twemoji",
            "1.2.5",
            "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        ),
        title="Twemoji",
        authors="Twitter, Inc. and other contributors",
        source="https://github.com/jdecked/twemoji",
        licence="CC-BY-4.0",
    ),
    Pack(
        style="fluent-3d",
        package=Package(
            "@lobehub/fluent-emoji-3d",
            "1.1.0",
            "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
        ),
        title="Fluent Emoji, 3D",
        authors="Microsoft Corporation (art), LobeHub (package)",
        source="https://github.com/lobehub/fluent-emoji",
        licence="MIT",
        is_raster=True,
    ),
    Pack(
        style="fluent-flat",
        package=Package(
            "@iconify-json/fluent-emoji-flat",
            "1.2.6",
            "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        ),
        title="Fluent Emoji, flat",
        authors="Microsoft Corporation",
        source="https://github.com/microsoft/fluentui-emoji",
        licence="MIT",
    ),
    Pack(
        style="emojitwo",
        package=Package(
            "@iconify-json/emojione",
            "1.2.3",
            "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
        ),
        title="Emoji One 2.3.0, continued as EmojiTwo",
        authors="Emoji One and the EmojiTwo contributors",
        source="https://github.com/EmojiTwo/emojitwo",
        licence="CC-BY-4.0",
        has_sequences=False,
    ),
    Pack(
        style="fxemoji",
        package=Package(
            "@iconify-json/fxemoji",
            "1.2.2",
            "f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef",
        ),
        title="Firefox OS Emoji",
        authors="Mozilla",
        source="https://github.com/mozilla/fxemoji",
        licence="Apache-2.0",
        has_sequences=False,
    ),
)

STYLES = tuple(pack.style for pack in PACKS)
