//! For scripts/bench.sh: a bare actix handler that answers every request with the bytes of a file. What a shop's answer costs
//! beyond this is the shop's own.
//!
//! `bare PORT FILE`

use actix_web::{App, HttpResponse, HttpServer, web};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || std::io::Error::other("usage: bare PORT FILE");
    let port: u16 = arguments.next().and_then(|port| port.parse().ok()).ok_or_else(usage)?;
    let bytes = web::Bytes::from(std::fs::read(arguments.next().ok_or_else(usage)?)?);
    let server = HttpServer::new(move || {
        let bytes = bytes.clone();
        App::new().default_service(web::to(move || {
            let answer = HttpResponse::Ok().content_type("application/json").body(bytes.clone());
            std::future::ready(answer)
        }))
    });
    server.bind(("127.0.0.1", port))?.run().await
}
