//! The layer around a `reqwest::Client`.

use std::task::{Context, Poll};

use http::{Extensions, HeaderMap, StatusCode};
use tower_service::Service;

use super::{Ready, ResponseFuture, ServiceError, SigV4, client_error};
use crate::body::SignedBody;
use crate::client::exchange::{Head, OutgoingRequest, RefusalBody, Transport, exchange};
use crate::client::reqwest::{refuse_redirected, taken, with_body};
use crate::client::response_body::read_reqwest_refusal;
use crate::error::{BoxError, Error};

impl<S> Service<reqwest::Request> for SigV4<S>
where
    S: Service<reqwest::Request, Response = reqwest::Response> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    type Response = reqwest::Response;
    type Error = ServiceError;
    type Future = ResponseFuture<reqwest::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ServiceError>> {
        self.service.poll_ready(cx).map_err(client_error)
    }

    fn call(&mut self, mut request: reqwest::Request) -> Self::Future {
        let mut client = ReqwestService(self.take_ready());
        let signer = self.signer.clone();
        if signer.passes_through(None, || request.view(None)) {
            return ResponseFuture::new(async move {
                let mut response = client.0.call(request).await?;
                signer.record_unsigned(response.extensions_mut());
                Ok(response)
            });
        }
        let body = request.body_mut().take().unwrap_or_default();
        let mut request = OutgoingRequest::new(request, body);
        ResponseFuture::new(async move { exchange(&signer, &mut client, &mut request).await })
    }
}

/// A service that takes `reqwest::Request`.
struct ReqwestService<S>(Ready<S>);

impl<S> Transport for ReqwestService<S>
where
    S: Service<reqwest::Request, Response = reqwest::Response> + Send,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    type Head = reqwest::Request;
    type Body = reqwest::Body;
    type Response = reqwest::Response;
    type Error = ServiceError;

    fn send<'t>(
        &'t mut self,
        head: &mut reqwest::Request,
        body: Option<SignedBody<reqwest::Body>>,
    ) -> Result<impl Future<Output = Result<reqwest::Response, ServiceError>> + use<'t, S>, Error> {
        Ok(self.0.call(with_body(taken(head, reqwest::Request::try_clone)?, body)))
    }

    fn head_of(response: &reqwest::Response) -> (StatusCode, &HeaderMap) {
        (response.status(), response.headers())
    }

    fn extensions_of(response: &mut reqwest::Response) -> &mut Extensions {
        response.extensions_mut()
    }

    fn check(sent: &reqwest::Request, response: &reqwest::Response) -> Result<(), Error> {
        refuse_redirected(sent.url(), response.url())
    }

    async fn read_refusal(response: reqwest::Response) -> (reqwest::Response, RefusalBody) {
        read_reqwest_refusal(response).await
    }
}
