"""Why a network thinks so: where in a picture the evidence lies for a box or a class, as heat in its pixels."""
