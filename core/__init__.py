"""The mathematics of Vitrine in torch: a library of its own that any notebook can import.

Every concept is a package (`core.sde`, `core.flash_attention`, ...). Nothing here knows how it is
drawn: no Gradio, no plotting, nothing of `labs`.
"""
