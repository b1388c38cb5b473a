"""The public keys that every service checks access tokens with."""

from fastapi import APIRouter, Response

from auth.dependencies import Issuer
from auth.schemas.responses import JwksResponse

router = APIRouter(tags=["keys"])

# Far shorter than the time between publishing a key and signing with it.
KEPT_SECONDS = 60


@router.get("/api/auth/jwks.json")
async def get_jwks(response: Response, issuer: Issuer) -> JwksResponse:
    """The keys that verify access tokens, as a JWK set."""
    response.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    return JwksResponse.model_validate(issuer.jwks())


@router.get("/.well-known/jwks.json")
async def get_well_known_jwks(response: Response, issuer: Issuer) -> JwksResponse:
    """The same keys at the well-known place."""
    return await get_jwks(response, issuer)
