"""Light of a scene: the colours that time and weather give to sky, ground and things."""

import colorsys
from random import Random

from training.data.scenes.layers import Colour

Tone = tuple[float, float, float]

# Colours of the sky from the top down to the horizon; one line is chosen for a scene.
SKIES = {
    "day": (
        ("#4a9be8", "#79b9f3", "#aed7f8", "#dff1fb"),
        ("#3aa7e0", "#72c5ee", "#aadff3", "#e4f6f6"),
        ("#5b8fe6", "#8fb4f2", "#bfd5f8", "#eef3fb"),
        ("#57b0e6", "#8fcdf0", "#c3e4f2", "#fbf1dc"),
    ),
    "sunset": (
        ("#5a4a94", "#b0608f", "#f08a72", "#ffd08a"),
        ("#41508f", "#8d6aa5", "#ef9a8c", "#ffdca0"),
        ("#8a4f8f", "#d96b86", "#fb9a70", "#ffd78f"),
        ("#d8623f", "#f08552", "#fbab68", "#ffdf9e"),
    ),
    "night": (
        ("#070b2a", "#121a4a", "#232f6e", "#3d4f93"),
        ("#0c0a30", "#1d1850", "#392c78", "#5b4a9a"),
        ("#04162f", "#0a2a4f", "#164670", "#2f6a90"),
    ),
}
GREY_SKIES = {  # from the top down to the horizon
    "day": ("#8fa0b4", "#d3dce4"),
    "sunset": ("#7d6880", "#d9a594"),
    "night": ("#0d1226", "#2b3552"),
}
FOG_SKIES = {
    "day": ("#b3c2cf", "#e8edf0"),
    "sunset": ("#b58f9c", "#f3d0b6"),
    "night": ("#1a2138", "#525d7c"),
}
WHITE: Tone = (1.0, 1.0, 1.0)
TINTS = {"day": WHITE, "sunset": (1.0, 0.86, 0.84), "night": (0.36, 0.46, 0.72)}
GLOWS = {
    "day": (0.0, (1.0, 1.0, 1.0)),
    "sunset": (0.1, (1.0, 0.6, 0.4)),
    "night": (0.06, (0.15, 0.2, 0.5)),
}
SPRITE_TINTS = {"day": WHITE, "sunset": (1.0, 0.92, 0.87), "night": (0.77, 0.8, 0.94)}
GREYNESS = {"clear": 0.0, "clouds": 0.28, "rain": 0.75, "snow": 0.55, "fog": 0.85}
DIMNESS = {"clear": 1.0, "clouds": 0.96, "rain": 0.84, "snow": 0.97, "fog": 0.97}


def tone(text: str) -> Tone:
    """Read a colour such as "#4a9be8" as red, green, blue in [0, 1]."""
    return int(text[1:3], 16) / 255, int(text[3:5], 16) / 255, int(text[5:7], 16) / 255


def mix(first: Tone, second: Tone, part: float) -> Tone:
    """Return the colour that lies `part` of the way from the first to the second."""
    (red, green, blue), (other_red, other_green, other_blue) = first, second
    return (
        red + (other_red - red) * part,
        green + (other_green - green) * part,
        blue + (other_blue - blue) * part,
    )


def multiply(colour: Tone, filter_colour: Tone, dim: float = 1.0) -> Tone:
    """Return a colour seen through a filter."""
    return (
        colour[0] * filter_colour[0] * dim,
        colour[1] * filter_colour[1] * dim,
        colour[2] * filter_colour[2] * dim,
    )


def lighten(colour: Tone, part: float) -> Tone:
    """Mix a colour with white."""
    return mix(colour, WHITE, part)


def darken(colour: Tone, part: float) -> Tone:
    """Mix a colour with black."""
    return mix(colour, (0.0, 0.0, 0.0), part)


def turn_hue(colour: Tone, turn: float, strength: float = 1.0) -> Tone:
    """Turn the hue by a part of the full circle and scale the saturation."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    return colorsys.hsv_to_rgb((hue + turn) % 1.0, min(1.0, saturation * strength), value)


def solid(colour: Tone, alpha: float = 1.0) -> Colour:
    """Add an alpha to a colour."""
    return (*colour, alpha)


class Light:
    """Light of one scene.

    Attributes:
        sky: four colours, from the top of the sky to the horizon.
        haze: colour that far things fade into.
    """

    def __init__(self, rng: Random, time: str, weather: str) -> None:
        self.time, self.weather = time or "day", weather or "clear"
        self.hue_turn = rng.uniform(-0.025, 0.025)
        self.strength = rng.uniform(0.88, 1.1)
        greys = FOG_SKIES if self.weather == "fog" else GREY_SKIES
        grey_top, grey_low = (tone(text) for text in greys[self.time])
        greyness = GREYNESS[self.weather]
        colours = [tone(text) for text in rng.choice(SKIES[self.time])]
        turn = rng.uniform(-0.015, 0.015)
        self.sky = [
            mix(turn_hue(colour, turn), mix(grey_top, grey_low, index / 3), greyness)
            for index, colour in enumerate(colours)
        ]
        self.haze = self.sky[3]
        self.sprite_tint = multiply(SPRITE_TINTS[self.time], WHITE, DIMNESS[self.weather])

    def shade(self, text: str, distance: float = 0.0) -> Tone:
        """Return how a daylight colour looks here.

        Args:
            text: colour such as "#6fae4a".
            distance: 0 for what is near, 1 for what fades into the haze.
        """
        return self.shade_tone(tone(text), distance)

    def shade_tone(self, colour: Tone, distance: float = 0.0) -> Tone:
        """Return how a daylight colour looks here, as `shade` does."""
        colour = turn_hue(
            colour, self.hue_turn, self.strength * (1.0 - 0.35 * GREYNESS[self.weather])
        )
        colour = multiply(colour, TINTS[self.time], DIMNESS[self.weather])
        part, glow = GLOWS[self.time]
        colour = mix(colour, glow, part)
        if self.weather == "fog":
            distance = min(1.0, 0.12 + distance * 1.35)
        return mix(colour, self.haze, distance)
