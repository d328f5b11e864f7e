"""From a description to layers: backdrop, shadows, things, water before them, weather."""

from dataclasses import replace

from training.data.scenes import built_places, nature_places, other_places
from training.data.scenes.atlas import TEXTURE_SIDE, SpriteTable
from training.data.scenes.description import PLAIN, Placement, Scene, thing_aspect
from training.data.scenes.layers import Blobs, Dots, Layer, Sprite
from training.data.scenes.layout import SUBMERGED, placement_box
from training.data.scenes.lighting import darken, lighten, solid
from training.data.scenes.sky import Painter, paint_weather

BACKDROPS = {
    "grass": nature_places.paint_grass,
    "meadow": nature_places.paint_meadow,
    "forest": nature_places.paint_forest,
    "autumn": nature_places.paint_autumn,
    "mountains": nature_places.paint_mountains,
    "snow": nature_places.paint_snow,
    "desert": nature_places.paint_desert,
    "beach": nature_places.paint_beach,
    "sea": nature_places.paint_sea,
    "sky": nature_places.paint_clouds_below,
    "city": built_places.paint_city,
    "room": built_places.paint_room,
    "underwater": other_places.paint_underwater,
    "space": other_places.paint_space,
    "moon": other_places.paint_moon,
} | dict.fromkeys(PLAIN, other_places.paint_plain)


def compose(table: SpriteTable, scene: Scene) -> list[Layer]:
    """Return the layers of a scene, back to front."""
    has_celestial = any(
        "sky" in table.things[placement.thing].homes for placement in scene.placements
    )
    painter = Painter(scene, has_celestial)
    BACKDROPS[scene.place](painter)
    layers = painter.layers
    shadows = [spot for placement in scene.placements for spot in _shadow(table, scene, placement)]
    if shadows:
        layers.append(Dots(shadows))
    for placement in scene.placements:
        if placement.home == "swims":
            layers += _ripples(table, scene, placement, painter)
        layers.append(_sprite(table, scene, placement, painter))
    paint_weather(painter)
    return layers + painter.front


def _sprite(table: SpriteTable, scene: Scene, placement: Placement, painter: Painter) -> Sprite:
    picture = table.picture(placement.thing, scene.style)
    longer = max(table.sizes[picture])
    width, height = thing_aspect(table, placement.thing, scene.style)
    part = longer / TEXTURE_SIDE
    return Sprite(
        picture=picture,
        x=placement.x,
        y=placement.y,
        scale=placement.size / part,
        turn=placement.turn * 0.017453292519943295,
        is_flipped=placement.is_flipped,
        tint=_tint(scene, painter),
        waterline=_surface(table, scene, placement) if placement.home == "swims" else None,
        half_width=width * part / 2,
        half_height=height * part / 2,
    )


def resting(placement: Placement) -> Placement:
    """Return a thing down where it stands or swims."""
    return replace(placement, y=placement.y + placement.lift, lift=0.0)


def _tint(scene: Scene, painter: Painter) -> tuple[float, float, float]:
    if scene.place in PLAIN or scene.place == "space":
        return (1.0, 1.0, 1.0)
    if scene.place == "underwater":
        return (0.86, 0.97, 1.0) if scene.time == "day" else (0.62, 0.74, 0.9)
    if scene.place == "moon":
        return (0.95, 0.95, 1.0)
    if scene.place == "room" and scene.time == "night":
        return (0.8, 0.8, 0.88)
    return painter.light.sprite_tint


def _shadow(table: SpriteTable, scene: Scene, placement: Placement) -> list[tuple]:
    """Return the spots that make a thing's soft shadow."""
    if placement.home != "ground":
        return []
    box = placement_box(table, scene.style, resting(placement))
    width = box.right - box.left
    strength = 0.3 if scene.time == "night" or scene.place in ("snow", "sky") else 0.4
    x, y = placement.x, box.bottom - 0.008
    return [
        (x, y, width * 0.5, 0.014 + width * 0.055, 0.05, 0.06, 0.12, strength),
        (x, y, width * 0.32, 0.008 + width * 0.03, 0.05, 0.06, 0.12, strength),
    ]


def _surface(table: SpriteTable, scene: Scene, placement: Placement) -> float:
    """Return the y at which a swimming thing comes out of the water."""
    box = placement_box(table, scene.style, resting(placement))
    return min(box.bottom - SUBMERGED * (box.bottom - box.top), 0.97)


def _ripples(
    table: SpriteTable, scene: Scene, placement: Placement, painter: Painter
) -> list[Layer]:
    """Return rings of light on the water around a swimming thing."""
    box = placement_box(table, scene.style, resting(placement))
    width, y = (box.right - box.left) / 2, _surface(table, scene, placement)
    light = lighten(nature_places.water_colour(painter), 0.6)
    dark = darken(nature_places.water_colour(painter), 0.2)
    rings = ((1.25, light, 0.45), (1.12, dark, 0.5), (1.02, light, 0.5), (0.9, dark, 0.4))
    ripples: list[Layer] = []
    for part, colour, alpha in rings:
        ellipse = (placement.x, y, width * part, 0.012 + 0.07 * width * part)
        ripples.append(Blobs([ellipse], solid(colour, alpha), solid(colour, alpha)))
    return ripples
