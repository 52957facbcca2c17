"""What a recording holds, and what its layout shows."""

import rerun as rr


def origins(path):
    """Return {name of a view: entity that it shows} of the layout that travels with a recording."""
    reader, views = rr.chunk.RrdReader(path), {}
    for chunk in reader.stream(store=reader.blueprints()[-1]):
        columns = chunk.to_record_batch().to_pydict()
        if "ViewBlueprint:space_origin" in columns:
            names = columns.get("ViewBlueprint:display_name", [[""]])
            views[names[0][0]] = columns["ViewBlueprint:space_origin"][0][0].strip("/")
    return views


def entities(path):
    """Return the entities of a recording."""
    return {str(chunk.entity_path).strip("/") for chunk in rr.chunk.RrdReader(path).stream()}


def unshown(path):
    """Return the views whose entity is not in the recording."""
    held = entities(path)
    return [
        name
        for name, origin in origins(path).items()
        if not any(e == origin or e.startswith(f"{origin}/") for e in held)
    ]


def read(path):
    """Return {entity: {component: {step: value}}} of a recording; constants have the step None."""
    content: dict = {}
    for chunk in rr.chunk.RrdReader(path).stream():
        columns = chunk.to_record_batch()
        batch = columns.drop_columns([n for n in columns.schema.names if n == "log_time"]).to_pydict()
        times = batch.get("step", [None] * chunk.num_rows)
        entity = content.setdefault(str(chunk.entity_path).strip("/"), {})
        for component, values in batch.items():
            known = {time: value for time, value in zip(times, values, strict=True) if value is not None}
            entity.setdefault(component, {}).update(known)
    return content
