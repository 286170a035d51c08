// Who is signed in. A real host has this already: a guard that looks at a session, and sets the request's user.

import {
  Body,
  type CanActivate,
  Controller,
  Delete,
  type ExecutionContext,
  ForbiddenException,
  Get,
  HttpCode,
  NotFoundException,
  Post,
  Req,
  Res,
  UnauthorizedException,
} from '@nestjs/common';

export const WORKSPACE = 'acme';

export interface Person {
  id: string;
  name: string;
  isAdmin: boolean;
}

const PEOPLE: readonly Person[] = [
  { id: 'mira', name: 'Mira', isAdmin: true },
  { id: 'jon', name: 'Jon', isAdmin: false },
];

export interface SignedRequest {
  headers: { cookie?: string };
  user?: Person;
}

/** The name in the cookie is not signed: whoever has a host of their own has sessions of their own. */
function personOf({ headers }: SignedRequest): Person | undefined {
  const name = /(?:^|;\s*)person=([a-z]+)/.exec(headers.cookie ?? '')?.[1];
  return PEOPLE.find(({ id }) => id === name);
}

export class SessionGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<SignedRequest>();
    const person = personOf(request);
    if (!person) throw new UnauthorizedException('Nobody is signed in');
    request.user = person;
    return true;
  }
}

export class AdminGuard extends SessionGuard {
  override canActivate(context: ExecutionContext): boolean {
    super.canActivate(context);
    if (!context.switchToHttp().getRequest<SignedRequest>().user!.isAdmin) {
      throw new ForbiddenException('Only administrators may do this');
    }
    return true;
  }
}

@Controller('session')
export class SessionController {
  @Get()
  who(@Req() request: SignedRequest) {
    return { person: personOf(request) ?? null, people: PEOPLE };
  }

  @Post()
  @HttpCode(200)
  signIn(@Body() { id }: { id?: string }, @Res({ passthrough: true }) response: CookieReply) {
    const person = PEOPLE.find((known) => known.id === id);
    if (!person) throw new NotFoundException('There is nobody of this name');
    response.header('set-cookie', `person=${person.id}; Path=/; HttpOnly; SameSite=Lax`);
    return { person };
  }

  @Delete()
  @HttpCode(204)
  signOut(@Res({ passthrough: true }) response: CookieReply) {
    response.header('set-cookie', 'person=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax');
  }
}

interface CookieReply {
  header(name: string, value: string): unknown;
}
