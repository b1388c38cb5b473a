"""Google Cloud KMS as far as keys are wrapped: its gRPC service with its own messages, checksums and errors."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.cloud.kms_v1.types import resources, service
from google_crc32c import value as crc32c

_NAME_BYTES = 2


@dataclass
class FakeGoogleKms:
    """Crypto keys by name, each with versions by number; ciphertexts name the version that made them, as Google's do."""

    versions: dict[str, dict[int, AESGCM]] = field(default_factory=dict)
    destroyed: set[str] = field(default_factory=set)
    damages_answers: bool = False

    def add_version(self, key: str) -> None:
        known = self.versions.setdefault(key, {})
        known[len(known) + 1] = AESGCM(os.urandom(32))

    def destroy_version(self, key: str, number: int) -> None:
        self.destroyed.add(f"{key}/cryptoKeyVersions/{number}")

    def handler(self) -> grpc.GenericRpcHandler:
        """What serves `google.cloud.kms.v1.KeyManagementService`."""
        methods = {
            "Encrypt": _unary(self._encrypt, service.EncryptRequest, service.EncryptResponse),
            "Decrypt": _unary(self._decrypt, service.DecryptRequest, service.DecryptResponse),
            "GetCryptoKey": _unary(self._get_crypto_key, service.GetCryptoKeyRequest, resources.CryptoKey),
        }
        return grpc.method_handlers_generic_handler("google.cloud.kms.v1.KeyManagementService", methods)

    async def _get_crypto_key(self, request: Any, context: Any) -> Any:
        primary, _ = await self._primary(request.name, context)
        return resources.CryptoKey(name=request.name, primary={"name": primary})

    async def _encrypt(self, request: Any, context: Any) -> Any:
        if request.plaintext_crc32c != crc32c(request.plaintext):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The checksum in field plaintext_crc32c did not match.")
        name, cipher = await self._primary(request.name, context)
        number, nonce = int(name.rpartition("/")[2]), os.urandom(12)
        sealed = number.to_bytes(_NAME_BYTES) + nonce
        sealed += cipher.encrypt(nonce, request.plaintext, request.additional_authenticated_data)
        return service.EncryptResponse(
            name=name,
            ciphertext=sealed,
            ciphertext_crc32c=crc32c(sealed) ^ self.damages_answers,
            verified_plaintext_crc32c=True,
        )

    async def _decrypt(self, request: Any, context: Any) -> Any:
        if request.ciphertext_crc32c != crc32c(request.ciphertext):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The checksum in field ciphertext_crc32c did not match.")
        known = self.versions.get(request.name)
        if known is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"CryptoKey {request.name} not found.")
        number = int.from_bytes(request.ciphertext[:_NAME_BYTES])
        if f"{request.name}/cryptoKeyVersions/{number}" in self.destroyed:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "The CryptoKeyVersion is not enabled, it is DESTROYED.")
        try:
            nonce, sealed = request.ciphertext[_NAME_BYTES : _NAME_BYTES + 12], request.ciphertext[_NAME_BYTES + 12 :]
            plaintext = known[number].decrypt(nonce, sealed, request.additional_authenticated_data)
        except (KeyError, InvalidTag):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Decryption failed: verify that 'name' is the right CryptoKey.")
        return service.DecryptResponse(
            plaintext=plaintext, plaintext_crc32c=crc32c(plaintext) ^ self.damages_answers, used_primary=number == len(known)
        )

    async def _primary(self, key: str, context: Any) -> tuple[str, AESGCM]:
        known = self.versions.get(key)
        if known is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"CryptoKey {key} not found.")
        number = max(known)
        return f"{key}/cryptoKeyVersions/{number}", known[number]


def _unary(work: Any, request: Any, response: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        work, request_deserializer=request.deserialize, response_serializer=response.serialize
    )
