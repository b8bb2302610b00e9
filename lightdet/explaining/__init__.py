"""Why a network reports what it does: where in a picture the evidence for a box or a class is, as a heat map."""
