//! Everything that is decided about a request before its body is read.

use http::{Extensions, Method};

use super::canonical::{CanonicalRequest, SignedHeaders};
use super::declared_payload::DeclaredPayload;
use super::headers::PresentHeaders;
use super::known_host::KnownHost;
use super::origin::{Host, Origin};
use super::overrides::SkipSigning;
#[cfg(feature = "event-stream")]
use super::payload::is_event_stream;
use super::payload::{BodyMode, Payload, PayloadMode};
use super::request::RequestView;
use super::scope::Scope;
use super::signer::Signer;
use super::signing_settings::SigningSettings;
use super::target::{PathForm, Target};
use crate::cache::Found;
use crate::error::{Error, ErrorKind};
use crate::metrics::{self, Skipped};

/// Everything about a request that can be decided, or refused, before its body is looked at.
#[derive(Debug)]
pub(crate) struct PreparedRequest<'a> {
    pub(super) request: &'a RequestView<'a>,
    pub(super) origin: Origin<'a>,
    pub(super) host: Host<'a>,
    pub(super) scope: Scope<'a>,
    pub(super) profile: SigningSettings,
    pub(super) target: Target<'a>,
    /// The caller's own `x-amz-content-sha256`.
    pub(super) declared: Option<DeclaredPayload<'a>>,
    pub(super) payload: PayloadMode,
}

impl PreparedRequest<'_> {
    /// How the body is to be treated.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedPayload`] where the service does not take it so.
    fn payload_mode(&self) -> Result<PayloadMode, Error> {
        #[cfg(feature = "event-stream")]
        if self.payload == PayloadMode::EventStream && self.region_set().is_some() {
            return Err(Error::new(
                ErrorKind::UnsupportedPayload,
                "event streams are signed with SigV4, for one region; say a region in place of the region set",
            ));
        }
        let PayloadMode::AwsChunked(options) = &self.payload else { return Ok(self.payload.clone()) };
        if !self.profile.aws_chunked {
            return Err(Error::new(
                ErrorKind::UnsupportedPayload,
                format!(
                    "the service {} does not take bodies in aws-chunked form, which is S3's own; use another payload \
                     mode, or a SigningSettings with .aws_chunked(true) for a store that speaks S3's dialect",
                    self.scope.service
                ),
            ));
        }
        match options.refusal() {
            Some(refusal) => Err(Error::new(ErrorKind::UnsupportedPayload, refusal)),
            None => {
                options.check_checksum_headers(self.request.headers)?;
                let of_signer = self.request.overrides.payload.is_none();
                let options = options.for_v4a(self.region_set().is_some()).unless_empty(of_signer);
                Ok(PayloadMode::AwsChunked(options))
            }
        }
    }

    /// Makes a given payload the one to sign: unsigned where the service's settings or the caller leave it so.
    ///
    /// # Errors
    /// [`ErrorKind::BodyMismatch`] and [`ErrorKind::UnsupportedPayload`] where it contradicts the caller's own
    /// `x-amz-content-sha256`; the latter for an unsigned payload over plain http, unless allowed.
    pub(super) fn settle_payload(&self, signer: &Signer, payload: &mut Payload<'_>) -> Result<(), Error> {
        match self.declared {
            Some(declared) => *payload = declared.agree(*payload)?,
            None if self.profile.unsigned_payload && payload.is_bytes() => *payload = Payload::unsigned(),
            None => {}
        }
        if payload.is_unsigned() {
            self.require_unsigned_allowed(signer)?;
        }
        Ok(())
    }

    /// # Errors
    /// [`ErrorKind::UnsupportedPayload`] over plain http, unless allowed.
    fn require_unsigned_allowed(&self, signer: &Signer) -> Result<(), Error> {
        if self.origin.is_secure() || signer.inner.settings.allow_unsigned_over_http {
            return Ok(());
        }
        let message = if self.profile.unsigned_payload {
            format!(
                "the service {} takes unsigned payloads only, and over plain http anyone on the way can change one; use \
                 https, or call .allow_unsigned_over_http(true) on the signer's builder",
                self.scope.service
            )
        } else {
            "over plain http anyone on the way can change an unsigned payload; use https, or a payload that is hashed \
             or signed, or call .allow_unsigned_over_http(true) on the signer's builder"
                .to_owned()
        };
        Err(Error::new(ErrorKind::UnsupportedPayload, message))
    }

    /// The region set, for a request signed with SigV4a.
    pub(crate) fn region_set(&self) -> Option<&str> {
        self.scope.reach.region_set()
    }

    pub(crate) fn profile(&self) -> &SigningSettings {
        &self.profile
    }

    pub(crate) fn target(&self) -> &Target<'_> {
        &self.target
    }

    /// Whether the request's URI has to be rewritten: its target, or its authority.
    pub(crate) fn rewrites_uri(&self) -> bool {
        self.target.is_rewritten() || self.origin.has_needless_port
    }

    /// Adds the headers that are signed, before the signer's own.
    pub(crate) fn headers<'a>(
        &'a self,
        signer: &Signer,
        headers: &mut SignedHeaders<'a>,
    ) -> Result<(), Error> {
        let policy = &signer.inner.settings.headers;
        policy.select(self.request.headers, self.request.overrides.sign_headers, headers)?;
        headers.push("host", self.host.value);
        Ok(())
    }

    /// Adds the headers that are signed in a presigned URL, before the signer's own.
    pub(super) fn headers_to_presign<'a>(
        &'a self,
        signer: &Signer,
        headers: &mut SignedHeaders<'a>,
    ) -> Result<(), Error> {
        let policy = &signer.inner.settings.headers;
        policy.select_to_presign(self.request.headers, self.request.overrides.sign_headers, headers)?;
        headers.push("host", self.host.value);
        Ok(())
    }

    #[inline]
    pub(crate) fn canonical<'a, 'h>(
        &'a self,
        query: &'a str,
        (headers, signed_names): (&'a SignedHeaders<'h>, &'a [u8]),
        payload_hash: &'a [u8],
    ) -> CanonicalRequest<'a, 'h> {
        CanonicalRequest {
            method: self.request.method.as_str(),
            path: &self.target.path,
            query,
            double_encode: self.profile.double_encode && !self.target.path_is_canonical,
            normalize_path: self.profile.normalize_path && !self.target.path_is_canonical,
            headers,
            signed_names,
            payload_hash,
        }
    }
}

impl Signer {
    /// What is known of the host that a request goes to.
    pub(super) fn known_host(&self, request: &RequestView<'_>) -> Result<Found<KnownHost>, Error> {
        self.inner.known_host(request)
    }

    /// Decides where, for what and in which form a request is signed.
    ///
    /// `known` is the request's [`known_host`](Self::known_host).
    pub(super) fn prepare<'a>(
        &'a self,
        request: &'a RequestView<'a>,
        known: &'a KnownHost,
    ) -> Result<PreparedRequest<'a>, Error> {
        let inner = &*self.inner;
        let origin = known.origin(request.scheme.unwrap_or_default(), request.authority.unwrap_or_default());
        inner.ensure_allowed(&origin, request, known)?;
        let present = PresentHeaders::of(request.headers);
        let host = match present.host {
            true => Host::new(&origin, request.headers, inner.settings.allow_host_mismatch)?,
            false => Host::of(&origin),
        };
        let scope = inner.scope(request, known)?;
        let profile = request.overrides.profile.or(inner.settings.signing);
        let profile = profile.unwrap_or_else(|| SigningSettings::for_service(scope.service));
        let form = PathForm::new(&profile, known.holds_arns);
        let target = Target::new(request.path, request.query, form, inner.settings.plus, true)?;
        let of_request = request.overrides.payload;
        let of_signer = match inner.settings.payload {
            PayloadMode::AwsChunked(_) if request.method != Method::PUT => &PayloadMode::Buffered,
            #[cfg(feature = "event-stream")]
            PayloadMode::EventStream if !is_event_stream(request.headers) => &PayloadMode::Buffered,
            ref payload => payload,
        };
        let declared = match present.content_sha256 {
            true => DeclaredPayload::of(request.headers, request.query)?,
            false => None,
        };
        let payload = match (declared, of_request.unwrap_or(of_signer)) {
            (Some(declared), _) => declared.payload_mode(of_request, of_signer)?,
            (None, PayloadMode::Buffered) if profile.unsigned_payload => PayloadMode::Unsigned,
            (None, mode) => mode.clone(),
        };
        Ok(PreparedRequest { request, origin, host, scope, profile, target, declared, payload })
    }

    /// Whether a request is to be sent unchanged and unsigned: the signer is disabled, the request's overrides ask for
    /// it, or it goes to a disallowed origin and the signer is set to let such requests pass.
    pub(crate) fn passes_through<'r>(
        &self,
        extensions: Option<&Extensions>,
        request: impl FnOnce() -> RequestView<'r>,
    ) -> bool {
        let not_allowed = || {
            let request = request();
            let origin = Origin::new(request.scheme, request.authority);
            origin.is_ok_and(|origin| {
                !self.inner.origins.allows(origin.http_scheme(), origin.host, origin.port)
            })
        };
        let why = if self.skips_all() {
            Skipped::Disabled
        } else if extensions.is_some_and(|extensions| extensions.get::<SkipSigning>().is_some()) {
            Skipped::SkipSigning
        } else if self.inner.settings.pass_through_disallowed_origins && not_allowed() {
            Skipped::Origin
        } else {
            return false;
        };
        metrics::skipped(why);
        true
    }

    /// Refuses what can be refused before the body is read, and returns how to read it.
    pub(crate) fn check(&self, request: RequestView<'_>) -> Result<BodyMode, Error> {
        let known = self.known_host(&request)?;
        let prepared = self.prepare(&request, &known)?;
        prepared.headers(self, &mut SignedHeaders::default())?;
        let payload = prepared.payload_mode()?;
        if payload == PayloadMode::Unsigned {
            prepared.require_unsigned_allowed(self)?;
        }
        let set = request.overrides.payload.is_some();
        Ok(BodyMode {
            payload,
            declared_sha256: prepared.declared.filter(|_| !set).and_then(DeclaredPayload::sha256),
            takes_aws_chunked: prepared.profile.aws_chunked && request.method == Method::PUT,
        })
    }

    /// Whether a request's body is read into memory, by the request's and the signer's settings alone.
    ///
    /// The service's settings may still leave it unsigned, in memory or not.
    pub(crate) fn buffers(&self, extensions: Option<&Extensions>) -> bool {
        let own = extensions.and_then(Extensions::get);
        *own.unwrap_or(&self.inner.settings.payload) == PayloadMode::Buffered
    }
}
